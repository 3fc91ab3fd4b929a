"""Open Source Risk Engine's inputs: portfolio, quotes, curve configurations, conventions and fixings (XML and text)."""
