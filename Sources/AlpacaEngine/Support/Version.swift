/// The version of the engine, the library and the command.
public enum Version {
    public static let string = "1.1.0"
}
