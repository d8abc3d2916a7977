"""Training: from parts and images to a fitted network.

training       the loop: epochs, steps, validation, the weights to keep
setup          what a training is made of
options        its options, and what they cannot hold
least_steps    epochs and batch size of small sets
progress       all that changes while it runs
state          the same and the weights, as tensors and numbers
restorable     what a state must be to resume from it
checkpoint     the state in a file, to resume from
diagnose       what is known when a number becomes NaN
diagnosis      what to try then
evidence       what a diagnosis is made from
optimise       optimisers, and schedules of their learning rate
muon           steps of equal length in all directions of a matrix
validate       the objective and measures on images that are held out
split          which images are held out
sample_weight  images that count for more
correlation    whether the noise of neighbouring pixels is independent
known_noise    how strong the noise of the images is
pairs          images that are clean and noisy
augment        images turned, mirrored, darker, in other colours
compiled       a step as one program
distributed    the network over several processes
"""
