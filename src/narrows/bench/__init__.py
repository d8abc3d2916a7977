"""How fast Narrows is, compared with the ways in which people train the same networks today.

cases       the labs that are timed: network, cost, noise, evaluation, and what we hold ourselves to
rivals      the notebook's way and a plain loop; pythae's in a file of its own; ours, through the face
floor       what the arithmetic alone would take on this machine
worker      one way of one lab in a process of its own, which runs when asked
speed       all of them, in turn, and the table
"""
