"""Sets that are read by their name.

named      the table of named sets; to add one: a function and an entry
fetch      the files of named sets: found on this machine or downloaded, and always checked
coloured   grey images with strokes in a random colour
spiral     points of a spiral in the plane
"""
