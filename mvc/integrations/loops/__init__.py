"""mvc inside training loops: what is saved there is committed by a process of its own, while training goes on."""
