"""What a sweep's folder holds, and what is worked out from it."""
