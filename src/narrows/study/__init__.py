"""Studies: a study file → runs → numbers and figures → a record → one page.

parse      a file as a dict, a dict as structures, all faults told at once
form       what a study file says
shown      a trained model with its images, and what pictures can look at
run        runs it: trains, measures, collects
output     the folder that a run leaves behind, and how it is taken up again
numbers    the published ones and ours
sizes      what a code takes, in bytes
tables     all of them
pictures   the arrays of each figure, from trained models
record     what is kept: numbers, tables, figures as arrays, so that the page can be drawn again
page       the record as one self-contained page
labs       the studies that come with Narrows
"""
