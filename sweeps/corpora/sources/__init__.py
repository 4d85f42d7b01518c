"""Where documents come from: packages, Debian, the Hugging Face hub, a user's own files."""
