"""The panel's parts: what stands between Slicer's scene and the engine. Computes nothing, and never imports torch."""
