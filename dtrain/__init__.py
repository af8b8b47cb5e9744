"""dtrain: which deep-net training technique works on my data, how sure are we, and why?"""

__version__ = "0.1.0"
