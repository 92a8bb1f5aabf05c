"""The lab: two real nodes in User-mode Linux, on a machine that can offer neither KVM nor the DRBD module."""
