"""Vibration: what a measurement of many samples says of a machine. Arrays in, arrays out; no protocol, no store.

measurements  what may be analysed: waveforms, spectra or rows of a table, each with its timestamps; what is refused
kpis          key figures of one waveform: rms, peak, crest factor and the rest, by which machines are compared

Nothing is imported before it is needed: ``import offbeat_detectors.vibration`` loads neither scipy nor scikit-learn.
"""
