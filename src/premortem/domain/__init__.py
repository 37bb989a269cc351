"""The values everything else speaks in. Imports nothing of ours from outside this folder."""
