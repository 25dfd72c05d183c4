"""Files and only files: volumes, X-rays, transforms, JSON. LPS exists here, at the file boundary, and nowhere else."""
