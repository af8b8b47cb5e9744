"""What happens inside a network: measures before the first step and while it trains."""
