//! VPP's numbers of errors.

/// VPP's API error numbers, as replies carry them in `retval`: those of its `vnet/error.h` that something here can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum ApiError {
    /// No number says it better.
    Unspecified = -1,
    /// No interface has this index or name.
    InvalidSwIfIndex = -2,
    /// No table has this id.
    NoSuchFib = -3,
    /// No inner table has this id.
    NoSuchInnerFib = -4,
    /// No such MPLS label.
    NoSuchLabel = -5,
    /// The thing named does not exist.
    NoSuchEntry = -6,
    /// A value is malformed or out of range.
    InvalidValue = -7,
    /// A second value is malformed or does not fit the first.
    InvalidValue2 = -8,
    /// Known, but not built.
    Unimplemented = -9,
    /// No interface has the second index.
    InvalidSwIfIndex2 = -10,
    /// The operating system refused.
    SyscallError1 = -11,
    /// A feature is disabled by the configuration.
    FeatureDisabled = -30,
    /// No client has this number.
    InvalidRegistration = -31,
    /// A next hop is in no table.
    NextHopNotInFib = -50,
    /// A route without paths.
    NoPathsInRoute = -52,
    /// The route has no such path.
    NextHopNotFoundMp = -53,
    /// No interface fits.
    NoMatchingInterface = -54,
    /// No VLAN has this number.
    InvalidVlan = -55,
    /// There is a sub-interface of this VLAN.
    VlanAlreadyExists = -56,
    /// Nothing can come from this address.
    InvalidSrcAddress = -57,
    /// Nothing can go to this address.
    InvalidDstAddress = -58,
    /// The address has a prefix of another length.
    AddressLengthMismatch = -59,
    /// The interface has no such address.
    AddressNotFoundForInterface = -60,
    /// The address cannot be taken away.
    AddressNotDeletable = -61,
    /// The interface has no IPv6.
    Ip6NotEnabled = -62,
    /// No node has this name.
    NoSuchNode = -63,
    /// No node has the second name.
    NoSuchNode2 = -64,
    /// No classifier table has this index.
    NoSuchTable = -65,
    /// No classifier table has the second index.
    NoSuchTable2 = -66,
    /// No classifier table has the third index.
    NoSuchTable3 = -67,
    /// There is a sub-interface of this number.
    SubifAlreadyExists = -68,
    /// A sub-interface cannot be made.
    SubifCreateFailed = -69,
    /// So much memory cannot be had.
    InvalidMemorySize = -70,
    /// Not with an interface of this kind.
    InvalidInterface = -71,
    /// Not with so many VLAN tags.
    InvalidVlanTagCount = -72,
    /// An argument is none.
    InvalidArgument = -73,
    /// Not in the state that it is in.
    UnexpectedIntfState = -74,
    /// There is a tunnel between these addresses.
    TunnelExist = -75,
    /// What is in a tunnel cannot go there.
    InvalidDecapNext = -76,
    /// There is such an interface.
    IfAlreadyExists = -79,
    /// It exists already.
    ValueExist = -81,
    /// Source and destination are the same.
    SameSrcDst = -82,
    /// No worker has this number.
    InvalidWorker = -89,
    /// No classifier table has this index.
    ClassifyTableNotFound = -91,
    /// A capture cannot be written.
    CannotCreatePcapFile = -93,
    /// No address family has this number.
    InvalidAddressFamily = -97,
    /// No sub-interface has this index.
    InvalidSubSwIfIndex = -98,
    /// A table has too much in it.
    TableTooBig = -99,
    /// A feature cannot be switched.
    CannotEnableDisableFeature = -100,
    /// Another one has this address.
    AddressInUse = -105,
    /// The interface has addresses.
    AddressFoundForInterface = -114,
    /// An entry of this key exists already.
    EntryAlreadyExists = -116,
    /// There is a bridge domain of this number.
    BdAlreadyExists = -119,
    /// The bridge domain has members.
    BdInUse = -120,
    /// Bridge domain 0 is what it is.
    BdNotModifiable = -121,
    /// No bridge domain has such a number.
    BdIdExceedMax = -122,
    /// There is no such sub-interface.
    SubifDoesntExist = -123,
    /// Another client is told of MAC addresses.
    L2MacsEventClientPresent = -124,
    /// The interface has no such queue.
    InvalidQueue = -125,
    /// Cannot be done to this thing.
    Unsupported = -126,
    /// Another interface has an address of this network.
    DuplicateIfAddress = -127,
    /// Nothing can have this name.
    IllegalName = -133,
    /// An interface has the access list for what it receives.
    AclInUseInbound = -142,
    /// An interface has the access list for what it sends.
    AclInUseOutbound = -143,
    /// It could not be started.
    InitFailed = -144,
    /// The host refused.
    NetlinkError = -145,
    /// There is an instance of this number.
    InstanceInUse = -147,
    /// No session has this number.
    InvalidSessionId = -148,
    /// A third value is malformed.
    InvalidValue3 = -150,
    /// The interface is not Ethernet.
    NonEthernet = -151,
    /// The bridge domain has a BVI.
    BdAlreadyHasBvi = -152,
    /// No protocol has this number.
    InvalidProtocol = -153,
    /// Somebody uses it.
    RsrcInUse = -155,
    /// No path goes by this protocol.
    FibPathUnsupportedNhProto = -157,
    /// Numbers arrived in another order of octets.
    ApiEndianFailed = -159,
    /// It is so already.
    NoChange = -160,
    /// There are too many.
    LimitExceeded = -162,
    /// Another one has this UDP port.
    UdpPortTaken = -164,
    /// There is more: ask again with the cursor.
    Eagain = -165,
    /// A fourth value is malformed.
    InvalidValue4 = -166,
    /// It is at work.
    Busy = -167,
    /// The feature is off already.
    FeatureAlreadyDisabled = -169,
    /// The feature is on already.
    FeatureAlreadyEnabled = -170,
    /// No prefix has this length.
    InvalidPrefixLength = -171,
}

impl ApiError {
    /// The number on the wire.
    pub const fn code(self) -> i32 {
        self as i32
    }
}
