// The files whose SHA-256 was published, by the authors of the models or with the original LLaMA, or computed from files that they released.
// A hash says which file it is; a name (folder and file) says which file it should be.

/// A file with a published SHA-256.
struct PublishedFile: Sendable, Hashable {
    /// The model, such as "Chinese-Alpaca-Plus-7B adapter".
    let model: String
    /// The file's usual name; empty where users name it as they like.
    let file: String
    /// 64 lower-case hexadecimal digits.
    let sha256: String

    /// What the file is, for people.
    var title: String { file.isEmpty ? model : "\(model), \(file)" }

    static let all: [PublishedFile] = table.split(separator: "\n").compactMap { line in
        let fields = line.split(separator: "|", omittingEmptySubsequences: false)
        guard fields.count == 3 else { return nil }
        return PublishedFile(model: String(fields[0]), file: String(fields[1]), sha256: String(fields[2]))
    }

    static let byHash: [String: PublishedFile] = Dictionary(all.map { ($0.sha256, $0) }, uniquingKeysWith: { first, _ in first })

    // model | file | SHA-256
    private static let table = """
        LLaMA-7B|consolidated.00.pth|700df0d3013b703a806d2ae7f1bfb8e59814e3d06ae78be0c66368a50059f33d
        LLaMA-13B|consolidated.00.pth|745bf4e29a4dd6f411e72976d92b452da1b49168a4f41c951cfcc8051823cf08
        LLaMA-13B|consolidated.01.pth|d5ccbcc465c71c0de439a5aeffebe8344c68a519bce70bc7f9f92654ee567085
        LLaMA-33B|consolidated.00.pth|e23294a58552d8cdec5b7e8abb87993b97ea6eced4178ff2697c02472539d067
        LLaMA-33B|consolidated.01.pth|4e077b7136c7ae2302e954860cf64930458d3076fcde9443f4d0e939e95903ff
        LLaMA-33B|consolidated.02.pth|24a87f01028cbd3a12de551dcedb712346c0b5cbdeff1454e0ddf2df9b675378
        LLaMA-33B|consolidated.03.pth|1adfcef71420886119544949767f6a56cb6339b4d5fcde755d80fe68b49de93b
        LLaMA-7B (Hugging Face)|pytorch_model-00001-of-00002.bin|0087155d6df07106c1d910bfeb6aab1be8e612dfbf2b56ddfb4ccbde7dbd50d0
        LLaMA-7B (Hugging Face)|pytorch_model-00002-of-00002.bin|461bc5e50200db7813ff99cc0b9316c48ccbd6aaaa31bf8cf7bee0b64bc3eda3
        LLaMA-13B (Hugging Face)|pytorch_model-00001-of-00003.bin|dd20cdee2637408c6ab88c13f5c27d153bacd0e99f2d55f6a66fbd0269944436
        LLaMA-13B (Hugging Face)|pytorch_model-00002-of-00003.bin|1aba886c5f28d2e2e9b04ab3c4f5bc250c6b06efc1baa3f557677b3097f70e6a
        LLaMA-13B (Hugging Face)|pytorch_model-00003-of-00003.bin|2efc56cddb7877c830bc5b402ee72996aedb5694c9e8007bf1d52d72c0d97d26
        LLaMA-33B (Hugging Face)|pytorch_model-00001-of-00007.bin|9c2a7223ab5f9cf3d46913d2b776e99cbd6ed93f69991594b92a8cef0c681a78
        LLaMA-33B (Hugging Face)|pytorch_model-00002-of-00007.bin|4984274738e52195f4b1a5b35d719cf0fade6df1f645507d92d61af4dd8dcdfe
        LLaMA-33B (Hugging Face)|pytorch_model-00003-of-00007.bin|64c73932562810c5c33b15bfec5921d3ced0e8cdb3766c214eda2f45fa3edd13
        LLaMA-33B (Hugging Face)|pytorch_model-00004-of-00007.bin|c7d72d11770f5b58eb45c2dd8e19aae2cbd5a03463b564de3945b21825ebacba
        LLaMA-33B (Hugging Face)|pytorch_model-00005-of-00007.bin|174128542031f4ad7ceb6c799e8e5461ec1ca91a72a01402c567e5f6a8b33d8c
        LLaMA-33B (Hugging Face)|pytorch_model-00006-of-00007.bin|80e2cfa18994385fa88f03d500017346dfd6dc1e58e957d046af39d9a7e254fa
        LLaMA-33B (Hugging Face)|pytorch_model-00007-of-00007.bin|065611608159615ced8d38473ee693129a1a0d872ced0ad8daf09290af7c7061
        Chinese-LLaMA|tokenizer.model|e2676d4ca29ca1750f6ff203328d73b189321dc5776ceede037cbd36541d70c0
        Chinese-Alpaca|tokenizer.model|2d967e855b1213a439df6c8ce2791f869c84b4f3b6cfacf22b86440b8192a2f8
        Chinese-LLaMA-7B adapter|adapter_model.bin|2a2c24d096f5d509f24946fdbd8c25e1ce4a0acb955902f7436d74c0c0379d86
        Chinese-LLaMA-Plus-7B adapter|adapter_model.bin|8c928db86b2a0cf73f019832f921eb7e1e069ca21441b4bfa12c4381c6cc46be
        Chinese-LLaMA-13B adapter|adapter_model.bin|6a4ce789d219bde122f8d9a20371937f2aa2ee86a2311d9f5e303df2e774f9fc
        Chinese-LLaMA-Plus-13B adapter|adapter_model.bin|784fcff9c4bdf4e77d442a01158e121caf8fcce0f97ffb32396fe7a3617ee7e8
        Chinese-LLaMA-33B adapter|adapter_model.bin|93a449bafb71ff1bb74a4a21e64e102e5078e5c3898eb40d013790072a0fa3de
        Chinese-LLaMA-Plus-33B adapter|adapter_model.bin|16f2544f4b5be9840dbb1a8071a9bc42627ed4232be3b0b600b43f7b4b5f08a7
        Chinese-Alpaca-7B adapter|adapter_model.bin|0d9b6ed8e4a7d1ae590a16c89a452a488d66ff07e45487972f61c2b6e46e36de
        Chinese-Alpaca-Plus-7B adapter|adapter_model.bin|4ee0bf805c312a9a771624d481fbdb4485e1b0a70cd2a8da9f96137f177b795d
        Chinese-Alpaca-Pro-7B adapter|adapter_model.bin|3cd2776908c3f5efe68bf6cf0248cb0e80fb7c55a52b8406325c9f0ca37b8594
        Chinese-Alpaca-13B adapter|adapter_model.bin|cb8dda3c005f3343a0740dcd7237fbb600cb14b6bff9b6f3d488c086a2f08ada
        Chinese-Alpaca-Plus-13B adapter|adapter_model.bin|a1fcdcb6d7e1068f925fb36ec78632c76058ba12ba352bed4d44060b8e6f4706
        Chinese-Alpaca-Pro-13B adapter|adapter_model.bin|f076b20fc2390ddbc35fd56d580d46ea834b33bbae34a4bb3cb7b571e60602e0
        Chinese-Alpaca-33B adapter|adapter_model.bin|6b39da4c682e715a9de30b247b7e9b812d2d54f7d320ec9b452000a5cd4d178d
        Chinese-Alpaca-Plus-33B adapter|adapter_model.bin|411f5b9351abcc33c13a82bdd97ddcff81ad7993a8ddb83085b7ea97fad92fc7
        Chinese-Alpaca-Pro-33B adapter|adapter_model.bin|0e7ba4951f605d2c0a7f0bcb983d7f6ed075c8dd23fbbcbc8a8c9643247212a3
        Chinese-LLaMA-7B merged|consolidated.00.pth|245427a306e3253db3f534e2a1d7548a8eb781ae8761f9e98979b4aced6b43d8
        Chinese-LLaMA-Plus-7B merged|consolidated.00.pth|f8d380d63f77a08b7f447f5ec63f0bb1cde9ddeae2207e9f86e6b5f0f95a7955
        Chinese-LLaMA-13B merged|consolidated.00.pth|aa7f4599487ea2b0d0aca2b522c39370897f9afd9839aac7d02155957f1f019f
        Chinese-LLaMA-13B merged|consolidated.01.pth|3954f3e7f7264994f23800a04423e6563cc1959ac699d9eaaa6801b4f9392ebd
        Chinese-LLaMA-Plus-13B merged|consolidated.00.pth|4de7d188003c778f216342de2dc5c9a9c74278c701c63a7b6bcd7957f5ebfdf5
        Chinese-LLaMA-Plus-13B merged|consolidated.01.pth|ff8046f9eb8b05dd86597c21edd07894aec00b31842a4c11996a4003091ea7c9
        Chinese-LLaMA-33B merged|consolidated.00.pth|054e9b7dffa3b92a053ca32acac6e22b27c184ed2b8563f8e44e6570ba416357
        Chinese-LLaMA-33B merged|consolidated.01.pth|a0fe86c45a0819f45a509776d82778b7de75fbff8d37afa97159b24de5448b7b
        Chinese-LLaMA-33B merged|consolidated.02.pth|13df5f74dc7bc1204076b1febef818fb3cec978de27bf8fc85c70e7d62282df9
        Chinese-LLaMA-33B merged|consolidated.03.pth|f4f28106c343c5804613faa9852f29fbc60764366bcb0d37ef2811a17be2d336
        Chinese-LLaMA-Plus-33B merged|consolidated.00.pth|0da2fa92c054aa4010ffe1746afbc5bdd89c07b8e418d74debcbf0de74c00692
        Chinese-LLaMA-Plus-33B merged|consolidated.01.pth|35e25e7fe47f978d52da6cdae3272b3b4ea42a37ea8ece84a4d758350d188397
        Chinese-LLaMA-Plus-33B merged|consolidated.02.pth|c20f80a7da24b4be72a7f617311e3e2e9346a476d85b3f1a28095497bb1857b0
        Chinese-LLaMA-Plus-33B merged|consolidated.03.pth|ae5276fe06fd9d039ed295d627c0048d5d96c2390de413f610b093c151370d3c
        Chinese-Alpaca-7B merged|consolidated.00.pth|fbfccc91183169842aac8d093379f0a449b5a26c5ee7a298baf0d556f1499b90
        Chinese-Alpaca-Plus-7B merged|consolidated.00.pth|8b8f6551d0d83f93e378622b9f8dad0bec189da6c29d8a78de493e6aee9bd35f
        Chinese-Alpaca-13B merged|consolidated.00.pth|30cefb5be9091c3e17fbba5d91bf16266a2ddf86cde53370a9982b232ff8a2f4
        Chinese-Alpaca-13B merged|consolidated.01.pth|ce946742b0f122f472e192c3f77d506e0c26578b4b881d07d919553333affecd
        Chinese-Alpaca-Plus-13B merged|consolidated.00.pth|1834558214c1dddc0d8b2826ece086908b9d2293241d0e12cecb48a035ec561b
        Chinese-Alpaca-Plus-13B merged|consolidated.01.pth|bf70001600ce166f6ca4ef59df5510f0582cdc119fb74e27d9cf3e4c7b142015
        Chinese-Alpaca-33B merged|consolidated.00.pth|72bfe67481c0df1b8c3b536acd15ac42c1163b0727b1beb6409ee31d14cb2490
        Chinese-Alpaca-33B merged|consolidated.01.pth|fd2151ea714a6e0706a60cca5ab7abf8558e665d4cb001481c6df616c0821c16
        Chinese-Alpaca-33B merged|consolidated.02.pth|4a7e3de6881769f9c2413f0867e67da20efdf4502602ab90483cb99c593e51ed
        Chinese-Alpaca-33B merged|consolidated.03.pth|99c81a7a310802dcc579fe96288fbc18d4486f92020eaf925e1c33db8311378a
        Chinese-LLaMA-7B adapter (release of version 2)||39b86b310fe4c2b76fd1dd8234775af63ab94772a80bcae33a4086a9a7fe0e60
        Chinese-LLaMA-13B adapter (release of version 2)||3d6dee787526db8bebc46271287e83b176e0f0db026dff493e088baf9be5199b
        Chinese-Alpaca-7B adapter (release of version 2)||9bb5b639dc2ea9ad593268b5f6abf85514c7637bf10f2344eb7031fe0fce2d87
        Chinese-Alpaca-13B adapter (release of version 2)||45c92e574fdfee1d48d573a1df3a782b5183ec486d4c5f0d716c7d43a2682d91
        LLaMA|tokenizer.model|9e556afd44213b6bd1be2b850ebbbd98f5481437a8021afaf58ee7fb1818d347
        Chinese pieces before merging|chinese_sp.model|0f5f6f717181694ec2e1c9be4398e2db2e40a3902932325b06e12ad4cd64ac09
        Chinese-LLaMA-2 and Chinese-Alpaca-2|tokenizer.model|a3b8844863b200dfcca971db228e96ce388290dfcf72c15d7a9d2f604bac787c
        Chinese-Alpaca-Plus-13B merged (Hugging Face)|pytorch_model-00001-of-00003.bin|a12f9de4bcbeceef1e54a69dcd278f0b329827781241ed9649b1bd49ea526bb1
        Chinese-Alpaca-Plus-13B merged (Hugging Face)|pytorch_model-00002-of-00003.bin|0c98817fa2438f238024689637bce8f8d681c3942e9592fc2ad3ba18d02be5c6
        Chinese-Alpaca-Plus-13B merged (Hugging Face)|pytorch_model-00003-of-00003.bin|e5d955cdd69b573a7998218c17e018eea4e30e5f3a35369456170dfbc289f4de
        Chinese-Alpaca-2-7B merged (Hugging Face)|pytorch_model-00001-of-00002.bin|182d552f893db16f7196afdf6ec13f05b43650985c9ce71f41f6d576e978c53f
        Chinese-Alpaca-2-7B merged (Hugging Face)|pytorch_model-00002-of-00002.bin|1f22e3d669ea912c4b0428fb4095f2068eb6192c89406ddd441de87ccec0c1b5
        """
}
