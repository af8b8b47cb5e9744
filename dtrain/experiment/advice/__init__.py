"""The lesson's rules as a linter: what an experiment may say, and is advised against."""
