"""What a host of a Pacemaker cluster runs to bring the cluster's configuration in step, and to switch power.

    cluster apply             changes what differs from WANTED, in one transaction
    cluster health [ID…]      exits 0 when the cluster has its quorum and all that is ours runs, but for the resources
                              ID, which begin to later; says what does not
    cluster power status HOST     asks the power controller itself: `on` or `off`
    cluster power off|on HOST     by the cluster, which knows of it then

WANTED is a `<configuration>` as in a CIB.
"""
