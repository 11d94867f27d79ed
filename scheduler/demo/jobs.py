"""The jobs of the demo: what an AI lab might ask for on one morning."""

from placewright import Alternative, Job

TASK = 'echo "$PLACEWRIGHT_JOB_NAME task $PLACEWRIGHT_TASK_INDEX of $PLACEWRIGHT_TASK_COUNT"; exec sleep {}'


def lab_jobs() -> list[Job]:
    """About 30 jobs: pretraining, fine-tunes, an evaluation sweep, services, and some that must wait."""
    return [*_pretraining(), *_fine_tunes(), *_evaluations(), *_services(), *_waiting()]


def _command(seconds: float) -> list[str]:
    """What stands for the work: each task is a process that says who it is and takes its time."""
    return ["sh", "-c", TASK.format(seconds)]


def _pretraining() -> list[Job]:
    anywhere: list[str | Alternative] = [
        "tpu-v5p:4x4x8",
        Alternative("h100:192", speed_permille=1000),
        Alternative("trainium2:256", speed_permille=620),
    ]
    names = (
        "pretrain-base", "pretrain-code", "pretrain-vision", "pretrain-audio", "pretrain-moe",
        "pretrain-video", "pretrain-speech",
    )  # fmt: skip
    jobs = [
        Job(
            name=name,
            queue="pretraining",
            priority_class="frontier",
            accelerators=anywhere,
            estimated_duration="336h",
            command=_command(7),
        )
        for name in names
    ]
    # Their kernels run on one accelerator only: a greedy scheduler gives their nodes to the flexible ones.
    bound_to_h100 = [
        Job(
            name=name,
            queue="pretraining",
            priority_class="frontier",
            accelerators="h100:256",
            estimated_duration="336h",
            command=_command(7),
        )
        for name in ("pretrain-kernels", "pretrain-sparse")
    ]
    scaling = Job(
        name="scaling-laws",
        queue="research",
        accelerators=["tpu-v6e:8x8", "h200:64", "mi300x:64"],
        estimated_duration="48h",
        command=_command(4),
    )
    return [*jobs, *bound_to_h100, scaling]


def _fine_tunes() -> list[Job]:
    sizes = ["h100:16", "a100-80gb:32", "mi300x:16"]
    domains = ("law", "chemistry", "support", "search", "translation", "safety")
    jobs = [
        Job(
            name=f"finetune-{domain}",
            queue="product",
            accelerators=sizes,
            estimated_duration="12h",
            markets=["reserved", "on_demand"] if domain == "safety" else [],
            command=_command(3 + index % 3),
        )
        for index, domain in enumerate(domains)
    ]
    eu = Job(
        name="finetune-hospital",
        queue="product",
        accelerators=["h100:16", "a100-80gb:16", "h200:16"],
        residency=["eu"],
        estimated_duration="20h",
        command=_command(5),
    )
    flaky = Job(
        name="finetune-flaky",
        queue="product",
        accelerators="h100:8",
        estimated_duration="2h",
        command=["sh", "-c", "sleep 1; exit 3"],
    )
    return [*jobs, eu, flaky]


def _evaluations() -> list[Job]:
    return [
        Job(
            name=f"eval-{index}",
            queue="evaluation",
            priority_class="batch",
            accelerators=["h100:8", "a100-80gb:8", "tpu-v5e:2x4", "trainium:16"],
            estimated_duration="1h",
            command=_command(2 + index % 3),
        )
        for index in range(8)
    ]


def _services() -> list[Job]:
    chat = Job(
        name="serve-chat",
        queue="serving",
        priority_class="frontier",
        kind="inference",
        replicas=4,
        accelerators=["h200:8", "mi300x:8", "b200:8"],
        command=_command(3600),
        grace_period="2s",
    )
    europe = Job(
        name="serve-chat-eu",
        queue="serving",
        priority_class="frontier",
        kind="inference",
        replicas=3,
        accelerators=["h200:8", "mi300x:8", "tpu-v6e:2x4"],
        residency=["eu"],
        command=_command(3600),
        grace_period="2s",
    )
    embeddings = Job(
        name="serve-embeddings",
        queue="serving",
        kind="inference",
        replicas=6,
        accelerators=["tpu-v5e:2x4", "a100-80gb:4"],
        command=_command(3600),
        grace_period="2s",
    )
    return [chat, europe, embeddings]


def _waiting() -> list[Job]:
    """Jobs that no plan can place, each for a reason of its own."""
    return [
        Job(
            name="pretrain-giant",
            queue="pretraining",
            priority_class="frontier",
            accelerators="h100:4096",
            estimated_duration="720h",
            command=_command(5),
        ),
        Job(
            name="finetune-bargain",
            queue="research",
            priority_class="batch",
            accelerators="b300:8",
            estimated_duration="8h",
            command=_command(2),
        ),
        Job(
            name="serve-asia",
            queue="serving",
            kind="inference",
            replicas=2,
            accelerators=["h200:8", "mi300x:8"],
            residency=["asia"],
            command=_command(3600),
        ),
    ]
