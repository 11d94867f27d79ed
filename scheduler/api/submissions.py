"""Submissions as they come: specs that were decoded before are taken from memory.

Sweeps and fleets of replicas submit the same spec again and again, under other names.
"""

from dataclasses import dataclass, replace

from placewright.v1 import job_pb2, job_service_pb2
from scheduler.api.checks import Checks
from scheduler.api.decode_job import Vocabulary, check_known, decode_payload, decode_spec
from scheduler.api.encode_job import encode_spec
from scheduler.model.job import JobSpec
from scheduler.service.jobs import Submission

SPECS_KEPT_MAX = 1_000  # of a few KB each
SPEC_BYTES_KEPT_MAX = 8_192


@dataclass(frozen=True, slots=True)
class Decoded:
    """A submission, and its spec with every default filled in as a message without the name."""

    submission: Submission
    effective_spec: job_pb2.JobSpec


@dataclass(frozen=True, slots=True)
class _Kept:
    spec: JobSpec
    effective_spec: job_pb2.JobSpec


class Submissions:
    """Decodes submissions; keeps the good specs that came last, apart from their names."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._kept: dict[bytes, _Kept] = {}

    def decode(self, message: job_service_pb2.JobSubmission, *, prefix: str) -> Decoded:
        """The submission, checked as a whole.

        Raises:
            InvalidRequest: with every field that is wrong.
        """
        checks = Checks(prefix)
        check_known(message, checks)
        request_id = checks.request_id("request_id", message.request_id)
        command, env = decode_payload(message.payload, checks)
        kept = self._kept_spec(message.spec, checks)
        checks.done()
        assert kept is not None
        submission = Submission(spec=kept.spec, command=command, env=env, request_id=request_id)
        return Decoded(submission, kept.effective_spec)

    def _kept_spec(self, message: job_pb2.JobSpec, checks: Checks) -> _Kept | None:
        name, message.name = message.name, ""
        nameless = message.SerializeToString()
        message.name = name
        kept = self._kept.get(nameless)
        if kept is not None:
            named = replace(kept.spec, name=checks.id("spec.name", name))
            return _Kept(named, kept.effective_spec)
        spec = decode_spec(message, self._vocabulary, checks)
        if spec is None:
            return None
        effective_spec = encode_spec(spec)
        effective_spec.ClearField("name")
        kept = _Kept(spec, effective_spec)
        if len(nameless) <= SPEC_BYTES_KEPT_MAX:
            self._keep(nameless, kept)
        return kept

    def _keep(self, nameless: bytes, kept: _Kept) -> None:
        if len(self._kept) >= SPECS_KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        self._kept[nameless] = kept
