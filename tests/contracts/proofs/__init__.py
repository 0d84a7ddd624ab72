"""What the fraud proofs say, written a second time: plain, slow, and without the SDK."""
