"""Jobs as messages, kept while they do not change: polls and watches of a job say the same again."""

from placewright.v1 import job_pb2
from scheduler.api.encode_job import encode_job
from scheduler.model.ids import History, JobId, Revision
from scheduler.model.limits import REPLICAS_SHOWN_MAX
from scheduler.model.view import JobView

KEPT_MAX = 4_000  # jobs; about 3 KB each, the largest of REPLICAS_SHOWN_MAX replicas about 50 KB

Kept = tuple[History, Revision, bool, job_pb2.Job]


class EncodedJobs:
    """Encodes views; what is kept is the newest view of each of the jobs encoded last."""

    def __init__(self, *, kept_max: int = KEPT_MAX) -> None:
        self._kept_max = kept_max
        self._kept: dict[JobId, Kept] = {}

    def of(
        self, view: JobView, history: History, *, effective_spec: job_pb2.JobSpec | None = None
    ) -> job_pb2.Job:
        """The job as a message, which the caller must not change; arguments as `encode_job`'s."""
        job_id = view.job.id
        kept = self._kept.get(job_id)
        if kept is not None and kept[:3] == (history, view.revision, view.replicas_left_out):
            return kept[3]
        message = encode_job(view, history, effective_spec=effective_spec)
        # Of a finished job records are removed, which leaves no newer revision behind.
        if not view.job.is_finished and len(view.replicas) <= REPLICAS_SHOWN_MAX:
            self._keep(job_id, (history, view.revision, view.replicas_left_out, message))
        return message

    def _keep(self, job_id: JobId, kept: Kept) -> None:
        self._kept.pop(job_id, None)
        if len(self._kept) >= self._kept_max:
            del self._kept[next(iter(self._kept))]
        self._kept[job_id] = kept
