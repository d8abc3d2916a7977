"""Training: from parts and images to a fitted network.

train       the loop, and all that changes while it runs
objective   what is made small             optimise    how: optimisers, schedules of their rate
validate    the same on held images        split       which images are held back
weights     images that count for more     pairs       images that are clean and noisy
compiled    a step as one program          spread      a network over several processes
state       all that changes, as values    saving      as a file, to go on from
trouble     what is said when a number is none
"""
