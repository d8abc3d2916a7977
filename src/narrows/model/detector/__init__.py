"""The detector of anomalies, which chooses its score by itself.

scales       the working scales on which these see images
members      the models that it may be made of, each with a score
networks     autoencoders among these, within given minutes
synthetic    anomalies made of normal images
validation   scores of images that the members have not seen, and of synthetic anomalies
combination  several scores as one
choice       the table of candidates, and the default
detector     the estimator
"""
