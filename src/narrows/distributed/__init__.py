"""Processes that train one model together: how they meet, and what they exchange.

process_group  this process's rank, the number of all, and its rows of a batch
rendezvous     how processes that torchrun has started become ranks, and how a lost one is noticed
waiting        waiting for what other processes bring about
collectives    sums over ranks, and values from one or all of them
"""
