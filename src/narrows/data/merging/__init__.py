"""The parts that the shares of one job wrote, put together.

manifest   what a finished part says of itself, in a small file next to it
merge      checks that all parts are there and belong together, then joins them
joins      how parts are joined, by the ending of the output's name
"""
