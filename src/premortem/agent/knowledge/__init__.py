"""What source code, specifications and tables say of the values a service accepts."""
