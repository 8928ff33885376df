"""What is true now: the agent on each host (`fournines.agent`), and the cloud as all of them together tell it.

    async with connect(cloud.hosts) as hosts:
        cluster = await look(cloud, hosts, hosts.failures)       # health.look
    cluster.sentence(), cluster.problems, cluster.regions[0].writers

Nothing is imported here: `services` reads the agent's code as this package's data.
"""
