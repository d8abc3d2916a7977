"""How fast Narrows is, compared with the usual ways of training the same networks, how well it finds
anomalies, how small and fast its codec is, and how well it denoises.

cases              the labs that are timed: network, cost, noise, evaluation, and target speeds
narrows_way        Narrows itself, through its public interface
other_ways         the notebook's way and a plain loop
pythae_way         pythae's models and trainer
floor              the time of the arithmetic alone on this machine
processes          measuring in processes of their own, which take turns
worker             one way of one lab in its own process, which runs a round on demand
speed              all ways in turn, and the table of results
profile            where the time of a step and of an evaluation goes
scale              how time and memory grow with images, pixels, parameters and processes
anomaly            how well anomalies are found, compared with PyOD's detectors
anomaly_tasks      the tasks of that comparison: images to train on, and test images
anomaly_ways       what is compared: how each is fitted, and its scores
anomaly_tables     the tables of results
codec              sizes and speeds of the codec and of all others, measured in turn
codec_sets         the sets of images of that comparison
codec_ways         what is compared: ours, bits-back coding, classical codecs
codec_ours         our codec among them
codec_worker       one task of one way in its own process
codec_tables       the tables of results
bits_back          bits-back coding with a VAE, to compare the codec with
beta_binomial_vae  the VAE
denoise            how well and how fast pictures are denoised
denoise_ways       what is compared there
defects            synthetic defects of textures
"""
