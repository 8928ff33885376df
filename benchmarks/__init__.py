"""How long fournines takes, measured as a user would see it: whole processes, on this machine.

python -m benchmarks                 all of them; a table on stderr, JSON on stdout
python -m benchmarks plan hosts      some of them: plan, design, hosts, lab
"""
