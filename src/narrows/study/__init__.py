"""Studies: a study file → runs → numbers and figures → a record → one page.

read_toml    a TOML file as a dict
parse        a dict as structures, all faults reported at once
parse_words  types and values of a study file in words
schema       what a study file may hold, and what in it cannot be used
data_split   the images of a run, to train on and to test with
trained      a trained model with its images, and the images that figures look at
run          runs a study: trains, measures, collects
obtain       trains the runs, or takes over what is trained already
other_ranks  what the other ranks of a distributed training do meanwhile
run_folder   the folder that a run leaves behind, and how it is taken up again
entries      what the entries of a history mean: titles, units, scales
published    the published numbers and ours
byte_sizes   what a code takes, in bytes
tables       the tables of a page
code_sample  codes for figures, bounded in time and memory
scored       images with their anomaly scores: which are shown
shown_maps   pictures next to their error maps, of one size and on one scale
figures      the arrays of each kind of figure, from trained models
drawings     the figures that a study asks for, or the standard ones
provenance   where a study came from, and how to run it again
record       what is kept: numbers, tables, figures as arrays, so that the page can be drawn again
score_page   the page of new images and their anomaly scores
page         the record as one self-contained page
index        one page over several studies
verify       measures what a run reported again
labs         the studies that come with Narrows
"""
