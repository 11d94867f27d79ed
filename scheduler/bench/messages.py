"""The requests of the service's benchmark, and the no-op RPC that it is compared with."""

import grpc

from placewright.v1 import job_pb2, job_service_pb2

JOBS = "/placewright.v1.JobService/"
ECHO_SERVICE = "placewright.bench.Echo"
ECHO_METHOD = "Echo"
ECHO = f"/{ECHO_SERVICE}/{ECHO_METHOD}"
SUBMIT_JOB = f"{JOBS}SubmitJob"
SUBMIT_JOBS = f"{JOBS}SubmitJobs"
GET_JOB = f"{JOBS}GetJob"
REQUEST_BYTES = 600
REQUEST_ID_DIGITS = 32

VARINTS_GROW_BY = 3  # the lengths around the filler take a second byte
REQUEST_ID_BLANK = "0" * REQUEST_ID_DIGITS
NAME_BLANK = "bench-" + "z" * REQUEST_ID_DIGITS


def echo_handler() -> grpc.GenericRpcHandler:
    """Decodes a SubmitJobRequest and gives it back: what any RPC with this message costs at the least."""

    async def echo(request: job_service_pb2.SubmitJobRequest, _context: object) -> object:
        return request

    handler = grpc.unary_unary_rpc_method_handler(
        echo,
        request_deserializer=job_service_pb2.SubmitJobRequest.FromString,
        response_serializer=job_service_pb2.SubmitJobRequest.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(ECHO_SERVICE, {ECHO_METHOD: handler})


def submission() -> job_service_pb2.JobSubmission:
    """A job with two alternatives; its request is `REQUEST_BYTES` long."""
    message = job_service_pb2.JobSubmission(request_id=REQUEST_ID_BLANK)
    spec = message.spec
    spec.name, spec.queue, spec.priority_class = NAME_BLANK, "default", "standard"
    spec.training.estimated_duration.FromSeconds(3_600)
    spec.alternatives.add(accelerator="h100", count=8, speed_permille=1_000)
    spec.alternatives.add(accelerator="a100-80gb", count=16, speed_permille=400)
    spec.constraints.allowed_locations.add(provider="aws", region="us-east-1")
    spec.max_duration.FromSeconds(86_400)
    message.payload.command.extend(["torchrun", "--nproc-per-node=8", "train.py"])
    filler = message.payload.env
    filler["FILLER"] = ""
    missing = REQUEST_BYTES - job_service_pb2.SubmitJobRequest(submission=message).ByteSize()
    filler["FILLER"] = "x" * (missing - VARINTS_GROW_BY)
    return message


def submit_request() -> bytes:
    """A SubmitJobRequest, whose request id is `REQUEST_ID_BLANK` and whose name is `NAME_BLANK`."""
    return job_service_pb2.SubmitJobRequest(submission=submission()).SerializeToString()


def submit_many_request(request_ids: list[str]) -> bytes:
    """A SubmitJobsRequest with a job for each request id."""
    one = job_service_pb2.SubmitJobsRequest(submissions=[submission()]).SerializeToString()
    return b"".join(of_its_own(one, request_id) for request_id in request_ids)


def of_its_own(request: bytes, request_id: str) -> bytes:
    """The request with this request id, and a job name made of it."""
    named = request.replace(NAME_BLANK.encode(), b"bench-" + request_id.encode(), 1)
    return named.replace(REQUEST_ID_BLANK.encode(), request_id.encode(), 1)


def submitted_ids(answer: bytes) -> list[str]:
    """Ids of the jobs that a SubmitJobs answer accepted."""
    results = job_service_pb2.SubmitJobsResponse.FromString(answer).results
    return [result.job.job_id for result in results if result.HasField("job")]


def get_request(job_id: str) -> bytes:
    return job_service_pb2.GetJobRequest(job_id=job_id).SerializeToString()


def job_of(answer: bytes) -> job_pb2.Job:
    """The job of a GetJob answer."""
    return job_service_pb2.GetJobResponse.FromString(answer).job
