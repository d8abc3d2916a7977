"""Studies: a study file → runs → numbers and figures → a record → one page.

form       what a study file says, and its strict reading
run        runs it: trains, measures, collects
pictures   the arrays of each figure, from trained models
record     what is kept: numbers, tables, figures as arrays, so that the page can be drawn again
page       the record as one self-contained page
output     the folders that a study leaves behind
"""
