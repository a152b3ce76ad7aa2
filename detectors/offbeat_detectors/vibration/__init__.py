"""Vibration: what a measurement of many samples says of a machine. Arrays in, arrays out; no protocol, no store.

measurements  what may be analysed: waveforms, spectra or rows of a table, each with its timestamps; what is refused
kpis          key figures of one waveform: rms, peak, crest factor and the rest, by which machines are compared
impacts       what a damaged bearing shows first: kurtosis, the envelope of a band and its spectrum
rows          a series of measurements as a matrix: a row each, and the scale in which rows are compared
principal     the directions in which rows vary most
mixture       Gaussian modes along a path that seldom switches
modes         in which operating mode was the machine, measurement by measurement; the same with an earlier model
blacksheep    which members of a population behave as hardly any other does
labels        what was said of few measurements, said of all

Nothing is imported before it is needed: ``import offbeat_detectors.vibration`` loads neither scipy nor scikit-learn.
Sources, limits, and what was measured: docs/vibration.md.
"""
