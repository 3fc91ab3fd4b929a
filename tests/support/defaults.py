"""What the configuration says where a file says nothing, for tests of what takes it as plain arguments."""

from __future__ import annotations

from riskpipe.config import models
from riskpipe.execute.policy import RetryPolicy
from riskpipe.measures.families import Bumps
from riskpipe.plan.partition import Limits

BUMPS = Bumps(**models.Bumps().model_dump())
LIMITS = Limits(**models.Partition().model_dump())
_RETRY = models.Retry()
RETRY = RetryPolicy(_RETRY.worker_lost, _RETRY.storage, _RETRY.out_of_memory, _RETRY.timeout)
