"""Books, markets and conventions from elsewhere become riskpipe's inputs, and a report says how."""
