"""Arguments of any message, made from what vpp_papi knows of its fields."""

from vpp_papi import vpp_serializer as papi

# What every request begins with, which vpp_papi fills in.
HEADER = {"_vl_msg_id", "client_index", "context"}


class Smallest:
    """Zeros, and nothing where there may be nothing."""

    elements = 0

    def number(self, packer):
        """Of a field of one number."""
        return 0.0 if packer.packer.format == "=d" else 0

    def octets(self, count):
        """Of a field of so many octets."""
        return bytes(count)

    def text(self, limit):
        """Of a field of text, which has room for so many letters if not for all."""
        del limit
        return ""


class Largest:
    """Ones in every bit, and text to the brim."""

    # As many as the smallest counter counts.
    elements = 255

    def number(self, packer):
        """Of a field of one number."""
        form = packer.packer.format
        if form == "=d":
            return 1.7976931348623157e308
        bits = 8 * packer.size
        if form == ">?":
            return 1
        return (1 << (bits - 1)) - 1 if form[-1].islower() else (1 << bits) - 1

    def octets(self, count):
        """Of a field of so many octets."""
        return b"\xff" * count

    def text(self, limit):
        """Of a field of text, which has room for so many letters if not for all."""
        # Names no file that there is or may be.
        return ("/../" * 64)[: limit - 1 if limit else None]


def value(packer, values):
    """A value of a field, which is not a list whose length is another field."""
    if isinstance(packer, papi.String):
        return values.text(packer.limit)
    if isinstance(packer, papi.FixedList_u8):
        return values.octets(packer.num)
    if isinstance(packer, papi.FixedList):
        return [value(packer.packer, values) for _ in range(packer.num)]
    if isinstance(packer, papi.VPPEnumType):
        return values.number(papi.types[packer.enumtype])
    if isinstance(packer, papi.VPPUnionType):
        name, member = max(packer.packers.items(), key=lambda item: item[1].size)
        return {name: value(member, values)}
    if isinstance(packer, papi.VPPTypeAlias):
        return value(packer.packer, values)
    if isinstance(packer, papi.VPPType):
        return arguments(packer, values)
    assert isinstance(packer, papi.BaseTypes), packer
    return values.number(packer)


def elements(packer, values):
    """Elements of a list."""
    if packer.field_type == "u8":
        return values.octets(values.elements)
    return [value(packer.packer, values) for _ in range(values.elements)]


def arguments(record, values):
    """The fields of a message or record. Counters tell what is there: others would be no message."""
    fields = {}
    for name, packer in zip(record.fields, record.packers):
        if name in HEADER:
            continue
        if isinstance(packer, papi.VLAList):
            fields[name] = elements(packer, values)
            fields[packer.length_field] = values.elements
        else:
            fields[name] = value(packer, values)
    return fields
