"""The parts of an autoencoder: one module a kind, one class a choice. To add a part: one class, one
table entry.

kinds         the eight kinds: table of names, base class, context
register      classes of the user's own: register, plain modules as body and way up

corruption    x̃ = corruption(x), what is done to an image before the network sees it
corruptions   the table of corruptions, and mixtures of them
body          h, side = body.encode(x̃), the way down
bottleneck    code = bottleneck(h, prior)
residual      the residual body and its way up
photo         the body of a denoiser of photographs, and its way up
rounded       a code of integers, at the price of its bits
bottlenecks   the table of bottlenecks; `bodies` and `ups` are those of bodies and ways up
prior         p(z), a density over codes
up            out = up(z, side), the way up
likelihood    -log p(x | out), and the mean of p
penalty       costs that need more than one code: gradients, the output, the batch
objective     the loss: its terms, one value an image
neighbours    the loss of one of two neighbouring pixels, for noisy images alone
objectives    the table of objectives

term          what a term of the loss is called, its unit, its caption
code          what a bottleneck puts out
forward_pass  what one pass through the network puts out
layers        activations, dropout, batch normalisation over all ranks
noise         strengths and random streams of corruptions
sensor        the noise of a camera, with a map of its strength
recorruption  more noise on noisy images, and less on the target
blind_spot    noisy images with pixels that are hidden, and are the target
transposed    the transposed convolution, fast on a CPU
"""
