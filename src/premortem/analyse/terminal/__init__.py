"""What the terminal shows, as rich renderables; captured text is never taken for markup."""
