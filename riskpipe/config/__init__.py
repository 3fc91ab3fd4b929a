"""The one reader of settings; everything below takes plain arguments.

`load_settings` and `resolve` read file, environment and flags; `Settings` is the result, frozen.
"""

from riskpipe.config.dump import resolved, resolved_yaml
from riskpipe.config.keys import dotted, schema_text
from riskpipe.config.load import Resolution, leaves, load_settings, resolve
from riskpipe.config.models import Settings
from riskpipe.store.masking import masked

__all__ = [
    "Resolution",
    "Settings",
    "dotted",
    "leaves",
    "load_settings",
    "masked",
    "resolve",
    "resolved",
    "resolved_yaml",
    "schema_text",
]
