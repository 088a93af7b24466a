"""Speed and memory as ratios against peers or bare baselines measured in the same run, checked against gates.yaml."""
