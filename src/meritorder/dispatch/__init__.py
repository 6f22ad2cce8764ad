"""What a router knows of its replicas, and the policies that choose one."""
