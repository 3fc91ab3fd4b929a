"""The sections `notify`, `metrics` and `lineage`: who is told of a run, and how."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from riskpipe.config.values import unwanted

Moment = Literal["start", "at_risk", "end"]
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"


def safe_url(value: str) -> str:
    """https, or http to this machine; without credentials, which would stand in files and logs."""
    parts = urlsplit(value)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or local):
        raise unwanted("a URL that begins with https:// (http:// to this machine alone)")
    if parts.username or parts.password:
        raise unwanted("a URL without credentials (token_env names the variable that has them)")
    return value


Url = Annotated[str, AfterValidator(safe_url)]


class _Telling(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)


class NotifySettings(_Telling):
    """One who is told: a command, or a webhook."""

    on: Annotated[tuple[Moment, ...], Field(min_length=1, strict=False)] = Field(
        default=("at_risk", "end"), description="When: start, at_risk (the deadline), end, whatever it was."
    )
    command: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        default=(), description="Program and arguments, without a shell; the JSON is on its stdin."
    )
    webhook: Url | None = Field(default=None, description="https URL that the JSON is posted to.")
    webhook_env: str | None = Field(
        default=None, pattern=VARIABLE, description="Environment variable that holds the URL, where it is a secret."
    )
    token_env: str | None = Field(
        default=None, pattern=VARIABLE, description="Environment variable whose value goes along as a bearer token."
    )
    timeout: float = Field(default=10.0, gt=0.0, le=300.0, description="Seconds that it may take.")

    @model_validator(mode="after")
    def _one(self) -> NotifySettings:
        if bool(self.command) + (self.webhook is not None) + (self.webhook_env is not None) != 1:
            raise unwanted("command, webhook or webhook_env, one of them")
        return self


class MetricsSettings(_Telling):
    """Figures of a run for Prometheus, by the extra `metrics` (prometheus-client)."""

    textfile: str | None = Field(
        default=None, description="File for the node exporter's textfile collector (*.prom), written at once."
    )
    pushgateway: Url | None = Field(default=None, description="URL of a Pushgateway.")
    job: str = Field(default="riskpipe", min_length=1, description="Label `job` at the Pushgateway.")


class LineageSettings(_Telling):
    """OpenLineage events of a run, by the extra `lineage` (openlineage-python), which has settings of its own."""

    enabled: bool = Field(default=False, description="Emit events: START, and COMPLETE, FAIL or ABORT.")
    namespace: str = Field(default="riskpipe", min_length=1, description="Namespace of the job.")
