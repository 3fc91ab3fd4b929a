"""ORE's trade types as riskpipe's products: one function a type, listed in `REGISTRY`."""
