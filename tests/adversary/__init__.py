"""Aggregators that lie in every way they can, and a challenger that lies about honest ones.

`stage` is the real chain, and `truth` runs honest epochs with real keys on it. `committed` is whatever an aggregator
may put under the roots of a header, malformed or not, and what of it can be opened. The modules of `lies` each have the
lies of one subject, by name, with the fraud cases that they must be found by. `trial` posts a lie, watches as any
client would, and sees to it that one transaction deletes it and nobody honest loses; `slander` tries to have an honest
epoch deleted. `campaign` says which lies are told about which epochs, and `tally` counts.

`make adversary` plays the whole campaign; the ordinary tests play a short one. A failure names its lie, its epoch (n,
d, number, attempt, flavour and seed) and its turn; `ADVERSARY_ONLY="lie@epoch@turn"` repeats it.
"""
