"""Training of RecM and RegM: simulated pairs, the loop, the generic stage and a patient's own."""
