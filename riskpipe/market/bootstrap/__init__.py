"""Curves from quotes: par rates to zero rates, spreads of credit default swaps to hazard rates, with QuantLib."""
