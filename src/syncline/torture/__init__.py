"""A random tester of the whole system: users edit two folders, the engine runs, dies, fails and is disturbed, and after
every step the promises are checked. A case is plain data, so that one that fails can be shrunk and kept for ever.

`python -m syncline.torture --help` says how to let it run. Nothing else of the product may import this package.
"""
