"""What a bridge between a brain and the cluster decides: plans as objects, outcomes as answers, objects as points."""
