"""Models: parts composed into networks, their training, what every model can do, and files of
models.

protocol       what any fitted model answers
outputs        what a model puts out for a batch, for scores and measures
calibration    the scores of normal images, from which thresholds follow
density        the density of training codes
usual_error    the usual size of the error at each pixel
network        the parts in their places
build          names and options → a network
recipes        models that have a name
file_format    what a model file holds, read and checked
file_headers   the headers of model files, each entry with its type
trackers       loggers that hear of a training
progress_bar   a bar for long work
training/      the loop, its progress, checkpoints, diagnosis
estimator/     the scikit-learn estimators
detector/      the detector of anomalies, which chooses its score
use/           evaluation, baselines, folders of pictures, interpolation
files/         model files and ONNX
"""
