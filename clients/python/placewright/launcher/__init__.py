"""The launcher runtime, and the launchers that come with the client.

What they cannot do, so that whoever runs them does:

* A run is fenced by its supervisor. When that is killed with SIGKILL together with the launcher, the
  kernel kills the tasks, but nobody kills what the tasks started. Where a pool is `self_fencing`, run each
  launcher in a cgroup of its own that ends as a whole, such as a systemd unit with
  `KillMode=control-group`. All tasks then end with the launcher, also when it is only restarted;
  `KillMode=process` lets them live on, and suits the other pools.
* A supervisor that does not get to run cannot stop its tasks. The lease is counted through suspension, but
  not while a hypervisor pauses the machine together with its clocks: its tasks then run beyond the lease.
* What tasks print is kept without a limit while their run lives, and can fill the disk. With a full disk
  the launcher tries again and again, but fenced runs that cannot be told of a renewal stop, and nothing
  new is started.
* While a launcher drains, the service takes its pools for ready and may offer runs. They are left
  unclaimed, and the service takes them back in its time.
"""
