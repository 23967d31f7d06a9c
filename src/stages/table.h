/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stages, in the order of the way: a packet only ever goes on to a stage further down. A line
 * here and the file src/stages/NAME.c, which defines NAME_process(), are all that a stage needs.
 */
STAGE(rx, RX)
STAGE(gro, GRO)
STAGE(vxlan, VXLAN)
STAGE(vtep, VTEP)
STAGE(veth_rx, VETH_RX)
STAGE(bridge, BRIDGE)
STAGE(wire, WIRE)
STAGE(veth, VETH)
STAGE(encap, ENCAP)
STAGE(tx, TX)
