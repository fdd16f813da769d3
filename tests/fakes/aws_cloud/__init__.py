"""A scripted AWS on a loopback port: Cloud() is a region with semantics and a clock of its own, for tests of deploys.

    cloud = Cloud()                        # cloud.url is the endpoint of all services
    cloud.script({1: Crash(1)})            # what becomes of the tasks of revision 1; the others run
    cloud.fault("RunTask", throttled(), times=2)
    ...
    cloud.changes()                        # what was made, changed or removed
    cloud.finish()                         # fails when a request was none that AWS would understand

Requests are held against AWS's own service models and botocore's signer. Facts count: a task runs when its role, its way to
the network, its secrets, image and log group are there. Time passes by calls, not by waiting."""
